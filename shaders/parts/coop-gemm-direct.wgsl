{#- c = a * b on matrix units straight from the buffers; the including shader sets `acc` (type of sums and results). -#}
enable f16;
enable wgpu_cooperative_matrix;

// c = a * b: a {{ BM }} x {{ BN }} tile per workgroup, of which a subgroup has {{ 16 * frags_m }} x {{ 16 * frags_n }} in registers. No workgroup memory and no
// barrier: subgroups meet each other's operands in the cache.

@group(0) @binding(0) var<storage, read> a: array<f16>;
@group(0) @binding(1) var<storage, read> b: array<f16>;
@group(0) @binding(2) var<storage, read_write> c: array<{{ acc }}>;
{% macro step(kk, indent) %}
{{ indent }}{
{% for i in range(frags_m) %}
{{ indent }}    let a{{ i }} = coopLoadT<coop_mat16x16<f16, A>>(&a[row{{ i }} * {{ k }}u + base + {{ 16 * kk }}u], {{ k }}u);
{% endfor %}
{% for j in range(frags_n) %}
{{ indent }}    let b{{ j }} = coopLoadT<coop_mat16x16<f16, B>>(&b[(base + {{ 16 * kk }}u) * {{ n }}u + col{{ j }}], {{ n }}u);
{% for i in range(frags_m) %}
{{ indent }}    c{{ i }}_{{ j }} = coopMultiplyAdd(a{{ i }}, b{{ j }}, c{{ i }}_{{ j }});
{% endfor %}
{% endfor %}
{{ indent }}}
{% endmacro %}

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_id) subgroup: u32) {
{% include "coop-tile.wgsl" %}
    // Matrices beyond an edge repeat the last one: they write the same values.
{% for i in range(frags_m) %}
    let row{{ i }} = {{ "min(" if m % BM != 0 }}top + subgroup / {{ SGN }}u * {{ 16 * frags_m }}u + {{ 16 * i }}u{{ ", " ~ (m - 16) ~ "u)" if m % BM != 0 }};
{% endfor %}
{% for j in range(frags_n) %}
    let col{{ j }} = {{ "min(" if n % BN != 0 }}left + subgroup % {{ SGN }}u * {{ 16 * frags_n }}u + {{ 16 * j }}u{{ ", " ~ (n - 16) ~ "u)" if n % BN != 0 }};
{% endfor %}
{% for i in range(frags_m) %}
{% for j in range(frags_n) %}
    var c{{ i }}_{{ j }}: coop_mat16x16<{{ acc }}, C>;
{% endfor %}
{% endfor %}

    for (var base = 0u; base < {{ k // BK * BK }}u; base += {{ BK }}u) {
{% for kk in range(BK // 16) %}
{{ step(kk, "        ") }}
{%- endfor %}
    }
{% if k % BK != 0 %}
    let base = {{ k // BK * BK }}u;
{% for kk in range(k % BK // 16) %}
{{ step(kk, "    ") }}
{%- endfor %}
{% endif %}

{% for i in range(frags_m) %}
{% for j in range(frags_n) %}
    coopStoreT(c{{ i }}_{{ j }}, &c[row{{ i }} * {{ n }}u + col{{ j }}], {{ n }}u);
{% endfor %}
{% endfor %}
}
