enable f16;

{% include "attention_flash.wgsl" %}
