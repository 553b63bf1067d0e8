import { tryAll } from './app.mjs';

void tryAll(JSON.parse(process.env.APP)).then((outcome) => console.log(JSON.stringify(outcome)));
