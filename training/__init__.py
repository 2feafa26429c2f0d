"""The program that runs inside a training job. It stands alone: no prefect, boto3, docker, flows or tasks here."""
