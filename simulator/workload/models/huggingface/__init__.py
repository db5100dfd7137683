"""Hugging Face model folders read by hand: ``config.json``, and the size in ``model.safetensors.index.json``.

Reading order: :mod:`.config` (a JSON object that says which key is missing), :mod:`.decoders`, :mod:`.mixtures` and
:mod:`.encoders` (one function per architecture), :mod:`.importing` (the verb).
"""
