"""For tests of engines, ours and other packages': import `EngineContract` from `ops.testing.engines` (needs pytest).

cases           small networks with every layer and option, and data for them
engines         the contract of engines, as a class of tests
comparison      equal in every bit, or but for rounding
float64         steps by the operators in float64
reference       steps by the loops of `ops.reference`
"""
