"""The operators' tests once more, on CuPy arrays: this folder's `xp` is CuPy."""

import pytest

import tests.gpu.needs_gpu  # noqa: F401 -- skips this module without a GPU
from tests.ops.test_activation import *  # noqa: F403 -- every test of that module is wanted here
from tests.ops.test_augment import *  # noqa: F403 -- as above
from tests.ops.test_conv import *  # noqa: F403 -- as above
from tests.ops.test_dense import *  # noqa: F403 -- as above
from tests.ops.test_dropout import *  # noqa: F403 -- as above
from tests.ops.test_loss import *  # noqa: F403 -- as above
from tests.ops.test_pool import *  # noqa: F403 -- as above
from tests.ops.test_random import *  # noqa: F403 -- as above
from tests.ops.test_resize import *  # noqa: F403 -- as above

pytestmark = pytest.mark.gpu
