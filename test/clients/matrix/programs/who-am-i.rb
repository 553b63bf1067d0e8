# Asks STS who it is, with the default chain of the AWS SDK for Ruby. Usage: ruby who-am-i.rb ENDPOINT
require "aws-sdk-core"

puts Aws::STS::Client.new(region: "us-east-1", endpoint: ARGV[0]).get_caller_identity.arn
