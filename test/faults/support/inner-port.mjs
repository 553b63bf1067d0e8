// Listens on a port of the network that it is started in, and leads each connection to a socket in the file system, which a
// process in another network listens on. Prints the port. Usage: node inner-port.mjs SOCKET
import { connect, createServer } from 'node:net';

const server = createServer((client) => {
  const outside = connect(process.argv[2]);
  client.on('error', () => outside.destroy()).pipe(outside);
  outside.on('error', () => client.destroy()).pipe(client);
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
