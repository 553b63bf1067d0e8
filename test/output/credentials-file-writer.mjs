// Writes credentials of profile pNUMBER to FILE with the built library, one after the other for each NUMBER.
// Usage: node credentials-file-writer.mjs FILE die|live NUMBER...; with die it is killed where it would rename.
import fs from 'node:fs';

const [, , file, mode, ...numbers] = process.argv;
if (mode === 'die') fs.rename = () => process.kill(process.pid, 'SIGKILL');
const { writeCredentialsFile } = await import('../../dist/index.js');
for (const number of numbers)
  await writeCredentialsFile({
    file,
    profile: `p${number}`,
    credentials: { accessKeyId: `AK${number}`, secretAccessKey: 's', sessionToken: 't' },
  });
