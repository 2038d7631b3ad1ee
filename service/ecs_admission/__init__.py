"""An admission controller for Amazon ECS deploy requests.

A deploy pipeline posts the request that it is about to send to the AWS API; the service judges how that
request handles secrets and answers allow or deny with hints. See `review.py` for the pipeline on one screen.
"""

__version__ = "0.1.0"
