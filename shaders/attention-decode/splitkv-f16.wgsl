enable f16;

{% include "attention_splitkv.wgsl" %}
