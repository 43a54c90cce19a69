/* Does what it is told with npm's memcached: a line [METHOD, ARGUMENT...] in JSON, a line [ERROR, RESULT] back.
 *
 * usage: node driver.js SERVERS OPTIONS    both in JSON
 */
'use strict';

const readline = require('readline');
const Memcached = require('memcached');

const client = new Memcached(JSON.parse(process.argv[2]), JSON.parse(process.argv[3]));

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const [method, ...given] = JSON.parse(line);
  client[method](...given, (error, result) => {
    const told = error instanceof Error ? error.message : error;
    console.log(JSON.stringify([told === undefined ? null : told, result === undefined ? null : result]));
  });
}).on('close', () => process.exit(0)); // its timers would keep it for hours
