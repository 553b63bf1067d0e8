// Opens a database on S3 with the default chain of the AWS SDK for Rust. Usage: node list-tables-lancedb.cjs ENDPOINT
const { connect } = require('@lancedb/lancedb');

connect('s3://bucket/database', {
  storageOptions: { endpoint: process.argv[2], region: 'us-east-1', allow_http: 'true' },
})
  .then((database) => database.tableNames())
  .then((names) => console.log(names.join('\n')));
