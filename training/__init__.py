"""The program that runs inside a training job. It imports no prefect, boto3, docker, flows or tasks."""
