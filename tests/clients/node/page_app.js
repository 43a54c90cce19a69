/* What docs/clients/NODE.md takes for granted: an `app` as express has it. Two visits with one cookie; tells in JSON
 * the session's id, and the count that each visit found.
 */
'use strict';

const http = require('http');

const handlers = [];
const app = { use: (handler) => handlers.push(handler) };

/* the page's block */

const server = http.createServer((request, response) => {
  handlers[0](request, response, (error) => {
    if (error) throw error;
    request.session.count = (request.session.count || 0) + 1;
    response.end(JSON.stringify({ id: request.sessionID, count: request.session.count }));
  });
});

async function visit(cookie) {
  const response = await fetch(`http://127.0.0.1:${server.address().port}/`, { headers: cookie ? { cookie } : {} });
  return { ...await response.json(), cookie: (response.headers.get('set-cookie') || '').split(';')[0] };
}

server.listen(0, '127.0.0.1', async () => {
  const first = await visit();
  const second = await visit(first.cookie);
  console.log(JSON.stringify({ id: second.id, counts: [first.count, second.count] }));
  process.exit(0); // its timers would keep it for hours
});
