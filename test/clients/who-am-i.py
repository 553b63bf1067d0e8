# Asks STS who it is, with the credentials of botocore's default chain. Usage: python3 who-am-i.py ENDPOINT
import sys

import botocore.session

client = botocore.session.get_session().create_client("sts", region_name="us-east-1", endpoint_url=sys.argv[1])
print(client.get_caller_identity()["Arn"])
