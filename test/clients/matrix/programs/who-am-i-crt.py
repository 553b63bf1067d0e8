# Asks STS who it is, with the default chain and the signer of the AWS Common Runtime. Usage: python3 who-am-i-crt.py ENDPOINT
import re
import sys
import urllib.parse
import urllib.request

from awscrt import auth, http, io

client = io.ClientBootstrap(io.EventLoopGroup(1), io.DefaultHostResolver(io.EventLoopGroup(1)))
path = "/?Action=GetCallerIdentity&Version=2011-06-15"
request = http.HttpRequest("GET", path, http.HttpHeaders([("Host", urllib.parse.urlsplit(sys.argv[1]).netloc)]))
config = auth.AwsSigningConfig(
    algorithm=auth.AwsSigningAlgorithm.V4,
    signature_type=auth.AwsSignatureType.HTTP_REQUEST_HEADERS,
    credentials_provider=auth.AwsCredentialsProvider.new_default_chain(client),
    region="us-east-1",
    service="sts",
)
auth.aws_sign_request(request, config).result(30)
signed = urllib.request.Request(sys.argv[1] + path, headers=dict(request.headers))
print(re.search("<Arn>(.*)</Arn>", urllib.request.urlopen(signed).read().decode()).group(1))
