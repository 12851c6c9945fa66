{#- Chains of matrix multiply-adds. Wants `size` (8 or 16), `ab` and `acc` (WGSL types), and the manifest's parameters. -#}
{% if ab == "f16" %}
enable f16;
{% endif %}
enable wgpu_cooperative_matrix;

// {{ 4 * CHAINS }} accumulators per subgroup stay in registers, and so do 8 matrices A and {{ CHAINS }} matrices B; memory is
// touched only before and after the loop. Accumulator t takes A number t % 4 and B number t / 4 % 4.
{% set area = size * size %}
{% set tiles = 4 * CHAINS %}
{% set mat = "coop_mat" ~ size ~ "x" ~ size %}

@group(0) @binding(0) var<storage, read> a: array<{{ ab }}>;
@group(0) @binding(1) var<storage, read> b: array<{{ ab }}>;
@group(0) @binding(2) var<storage, read_write> c: array<{{ acc }}>;

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_id) subgroup: u32) {
    // Subgroups beyond the last repeat it: they write the same values.
    let first = min((group.y * {{ fold_x(groups) }}u + group.x) * {{ SUBGROUPS }}u + subgroup, {{ n // tiles - 1 }}u);
{% for parity in range(2) %}
{% for i in range(4) %}
    let a{{ parity }}_{{ i }} = coopLoadT<{{ mat }}<{{ ab }}, A>>(&a[{{ (4 * parity + i) * area }}u], {{ size }}u);
{% endfor %}
{% endfor %}
{% for j in range(CHAINS) %}
    let b{{ j }} = coopLoadT<{{ mat }}<{{ ab }}, B>>(&b[(first * {{ CHAINS }}u + {{ j }}u) % 4u * {{ area }}u], {{ size }}u);
{% for i in range(4) %}
    var c{{ i }}_{{ j }}: {{ mat }}<{{ acc }}, C>;
{% endfor %}
{% endfor %}

{% macro step(parity, indent) %}
{% for j in range(CHAINS) %}
{% for i in range(4) %}
{{ indent }}c{{ i }}_{{ j }} = coopMultiplyAdd(a{{ parity }}_{{ i }}, b{{ j }}, c{{ i }}_{{ j }});
{% endfor %}
{% endfor %}
{% endmacro %}
    for (var i = 0u; i < {{ steps // UNROLL }}u; i++) {
{% for u in range(UNROLL) %}
{{ step(u % 2, "        ") }}
{%- endfor %}
    }
{% for u in range(steps % UNROLL) %}
{{ step(u % 2, "    ") }}
{%- endfor %}

{% for j in range(CHAINS) %}
{% for i in range(4) %}
    coopStoreT(c{{ i }}_{{ j }}, &c[(first * {{ tiles }}u + {{ 4 * j + i }}u) * {{ area }}u], {{ size }}u);
{% endfor %}
{% endfor %}
}
