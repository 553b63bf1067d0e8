// Asks STS who it is, with the default chain of the AWS SDK for JavaScript v2. Usage: node who-am-i-v2.cjs ENDPOINT
const { STS } = require('aws-sdk');

new STS({ region: 'us-east-1', endpoint: process.argv[2] })
  .getCallerIdentity({})
  .promise()
  .then(({ Arn }) => console.log(Arn));
