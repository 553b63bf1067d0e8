import type { OnRequest } from './servers.ts';

export const says =
  (text: string): OnRequest =>
  (socket) =>
    socket.write(text);
export const saysAndEnds =
  (text: string): OnRequest =>
  (socket) =>
    socket.end(text);
export const saysAndResets =
  (text: string): OnRequest =>
  (socket) => {
    // The reset must not overtake what was written.
    socket.write(text, () => setTimeout(() => socket.resetAndDestroy(), 50));
  };
export const drips =
  (text: string): OnRequest =>
  (socket) => {
    socket.write(text);
    const timer = setInterval(() => socket.write('x'), 10);
    socket.on('close', () => clearInterval(timer));
  };
export const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
export const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
