"""What answers look like, for the OpenAPI document: schemas, each with an example.

form        what they share: strictness, and how an example is shown
errors, predictions, models, runs, protocol, server        the answers themselves

They describe and don't check: an answer is sent as it is, and tests hold those that really come to their schemas.
"""
