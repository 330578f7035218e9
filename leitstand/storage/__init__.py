"""Object storage over S3: the only user of boto3."""
