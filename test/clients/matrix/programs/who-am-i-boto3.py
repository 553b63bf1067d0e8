# Asks STS who it is, with boto3's default chain. Usage: python3 who-am-i-boto3.py ENDPOINT
import sys

import boto3

print(boto3.client("sts", region_name="us-east-1", endpoint_url=sys.argv[1]).get_caller_identity()["Arn"])
