import socks from 'socks';

// By its own name: whoever imports this file finds the names of a module that is CommonJS by reading it, not by running it.
export const SocksClient = socks.SocksClient;
