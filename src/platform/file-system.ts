/**
 * What long-running commands use of node:fs/promises. That module itself
 * brings readline and file handles along, 0.4 MB that would stay in memory.
 */
import fs from 'node:fs';
import { promisify } from 'node:util';

export const close = promisify(fs.close);
export const fchmod = promisify(fs.fchmod);
export const fchown = promisify(fs.fchown);
export const fstat = promisify(fs.fstat);
export const fsync = promisify(fs.fsync);
export const link = promisify(fs.link);
export const lstat = promisify(fs.lstat);
export const mkdir = promisify(fs.mkdir);
export const mkdtemp = promisify(fs.mkdtemp);
export const open = promisify(fs.open);
export const readFile = promisify(fs.readFile);
export const readdir = promisify(fs.readdir);
export const readlink = promisify(fs.readlink);
export const realpath = promisify(fs.realpath);
export const rename = promisify(fs.rename);
export const rm = promisify(fs.rm);
export const rmdir = promisify(fs.rmdir);
export const stat = promisify(fs.stat);
export const writeFile = promisify(fs.writeFile);
