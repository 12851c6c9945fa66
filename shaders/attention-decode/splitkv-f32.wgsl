{% include "attention_splitkv.wgsl" %}
