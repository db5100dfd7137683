"""Networks that are no plain transformer, built layer by layer from shapes.

Reading order: :mod:`.network` (what a layer and a network are), :mod:`.canvas` (the shape that layers are drawn on),
then one module per family. A family is one registered function; adding one is adding a module to :mod:`.families`.
"""
