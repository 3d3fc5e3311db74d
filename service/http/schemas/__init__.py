"""The forms of responses, for the OpenAPI document: schemas, each with an example.

base                                                   what they share: strictness, and how an example is shown
errors, health, models, predictions, protocol, runs    the responses themselves

They describe and don't check: a response is sent as it is, and tests hold those that really come to their schemas.
"""
