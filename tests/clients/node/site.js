/* A site whose sessions connect-memcached keeps, on express-session. Its page does to the session what `do` in the
 * query lists, step by step, and answers in JSON what came of it; what could not be saved is told on standard error.
 *
 * usage: node site.js SETTINGS    in JSON: {"store": {"hosts": [...]}, "cookie": {...}}; tells "listening URL" there, too
 * do=count,read     names of the steps below
 * entered, release  paths of files, for the step `hold`
 * bytes             for the step `grow`
 */
'use strict';

const fs = require('fs');
const http = require('http');
const session = require('express-session');
const MemcachedStore = require('connect-memcached')(session);

const HOLD_DEADLINE_MS = 20000;

const settings = JSON.parse(process.argv[2]);
const store = new MemcachedStore(settings.store);
const sessions = session({
  store, secret: 'tests', resave: false, saveUninitialized: false, cookie: settings.cookie,
});

// Keeps the session open until another process makes the file `release`.
function hold(request, query, done) {
  fs.writeFileSync(query.get('entered'), '');
  const deadline = Date.now() + HOLD_DEADLINE_MS;
  const look = () => {
    if (fs.existsSync(query.get('release')) || Date.now() > deadline) {
      done();
    } else {
      setTimeout(look, 5);
    }
  };
  look();
}

const steps = {
  read: (request, query, done) => done(),
  count: (request, query, done) => { request.session.count = (request.session.count || 0) + 1; done(); },
  grow: (request, query, done) => { request.session.large = 'x'.repeat(Number(query.get('bytes'))); done(); },
  replace: (request, query, done) => request.session.regenerate(done),
  destroy: (request, query, done) => request.session.destroy(done),
  length: (request, query, done) => store.length(done),
  clear: (request, query, done) => store.clear(done),
  hold,
};

function answer(request, response, error, results) {
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({
    id: request.sessionID, count: request.session ? request.session.count : null, results,
    error: error ? String(error.message || error) : null,
  }));
}

function run(request, response, query, names, results) {
  const name = names.shift();
  if (name === undefined) {
    answer(request, response, null, results);
    return;
  }
  steps[name](request, query, (error, result) => {
    results[name] = result;
    if (error) {
      answer(request, response, error, results);
    } else {
      run(request, response, query, names, results);
    }
  });
}

const server = http.createServer((request, response) => {
  const query = new URL(request.url, 'http://site').searchParams;
  sessions(request, response, (error) => {
    if (response.writableEnded) {
      console.error(`not saved: ${error.message}`);
    } else if (error) {
      answer(request, response, error, {});
    } else {
      run(request, response, query, query.get('do').split(','), {});
    }
  });
});
server.listen(0, '127.0.0.1', () => console.error(`listening http://127.0.0.1:${server.address().port}`));
