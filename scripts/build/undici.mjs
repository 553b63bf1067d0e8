// Stands in for undici's index in the bundled library: the pool and its `request`, without fetch, mocks, caches and proxies,
// which are four fifths of it and nothing that src/http/pooled.ts uses.
import request from 'undici/lib/api/api-request.js';
import buildConnector from 'undici/lib/core/connect.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';

Object.assign(Dispatcher.prototype, { request });

export { Agent, buildConnector };
