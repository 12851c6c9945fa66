{% include "attention_flash.wgsl" %}
