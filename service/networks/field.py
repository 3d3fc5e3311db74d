"""The network as a field of a configuration: a name of the zoo, or a description in any of its forms."""

from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from service.errors import InvalidInput
from service.networks.description import Description
from service.networks.presets import PRESETS

DESCRIPTION_ERROR = "description"
"""Pydantic's type of the error for a description that can't be; its message says where in it."""


def _network(given: Any) -> str | Description:
    """A name of the zoo, or a description: as text in TOML or JSON, as plain data, or read already."""
    if isinstance(given, Description) or (isinstance(given, str) and given in ("lenet", *PRESETS)):
        return given
    try:
        if isinstance(given, str) and any(sign in given for sign in "={\n"):
            return Description.parse(given)
        if isinstance(given, dict) and given:
            return Description.of(given)
    except InvalidInput as error:
        raise PydanticCustomError(DESCRIPTION_ERROR, "{why}", {"why": str(error)}) from None
    from ops.zoo import ZOO  # here: it takes long to import, and most networks are found above

    if given not in list(ZOO):
        names = ", ".join(map(repr, ZOO))
        raise PydanticCustomError("network", "It should be {names} or the description of a network", {"names": names})
    return str(given)


NetworkField = Annotated[
    str | Description,
    PlainValidator(_network),
    PlainSerializer(lambda network: network.data if isinstance(network, Description) else network),
    WithJsonSchema({"type": "string"}),
]
"""A network: a name of the zoo, or a description, which is an object where the configuration is written down."""
