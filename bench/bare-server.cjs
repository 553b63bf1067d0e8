// The quickest way that node:http has to answer: one string, one write, whatever was asked. Run by Node and by Bun, it says
// what a server costs in each before it does anything. Usage: bare-server.cjs BYTES [ADDRESS ...]
'use strict';
const { createServer } = require('node:http');

const [bytes, ...addresses] = process.argv.slice(2);
const body = 'x'.repeat(Number(bytes));
const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length, 'Cache-Control': 'no-store' };
const servers = (addresses.length === 0 ? ['127.0.0.1'] : addresses).map((address) =>
  createServer({ keepAliveTimeout: 30_000 }, (_request, response) => {
    response.writeHead(200, headers);
    response.end(body, 'latin1');
  })
    .on('error', () => {})
    .listen(0, address),
);
servers[0].on('listening', () => console.log(`up at ${servers[0].address().port}.`));
