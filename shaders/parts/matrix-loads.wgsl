{# Bindings of c = a * b and access to them by groups of four: `load_a` along k, `load_b` and `store_c` along n.

   The including shader sets: operand, acc and out (types of operands, sums and results), planes (matrices one behind the
   other), clamped (true: what is loaded lies inside; false: what lies outside is 0), ragged_m, ragged_n and ragged_k
   (whether tiles stick out), splits (where > 1, store_c takes the part of k and writes to `sums`, of [splits, m, n]). m, n and k come from its manifest. Functions take `plane` last where planes > 1. #}
{% set wide_a = k % 4 == 0 %}
{% set wide_b = n % 4 == 0 %}
{% set quads_n = ceil_div(n, 4) %}
{% set plane_argument = ", plane: u32" if planes > 1 else "" %}
{% macro at(rows, pitch) %}{{ "plane * " ~ (rows * pitch) ~ "u + " if planes > 1 }}row * {{ pitch }}u{% endmacro %}
@group(0) @binding(0) var<storage, read> a: array<{{ "vec4<" ~ operand ~ ">" if wide_a else operand }}>;
@group(0) @binding(1) var<storage, read> b: array<{{ "vec4<" ~ operand ~ ">" if wide_b else operand }}>;
@group(0) @binding(2) var<storage, read_write> c: array<{{ "vec4<" ~ out ~ ">" if wide_b else out }}>;
{% if splits > 1 %}
@group(0) @binding(3) var<storage, read_write> sums: array<{{ "vec4<" ~ acc ~ ">" if wide_b else acc }}>;
{% endif %}

{% set left = "a" %}
{% include "rows-loads.wgsl" %}

// Four elements of row `row` of b, from column 4 * `quad`{{ ", or the last of the row" if clamped else "; zero outside" }}.
fn load_b(row: u32, quad: u32{{ plane_argument }}) -> vec4<{{ acc }}> {
{% if not clamped and (ragged_k or ragged_n) %}
    if ({{ "row >= " ~ k ~ "u" if ragged_k }}{{ " || " if ragged_k and ragged_n }}{{ "quad >= " ~ quads_n ~ "u" if ragged_n }}) {
        return vec4<{{ acc }}>();
    }
{% endif %}
{% if wide_b %}
    return vec4<{{ acc }}>(b[{{ at(k, quads_n) }} + quad]);
{% else %}
    let start = {{ at(k, n) }};
    let first = 4u * quad;
    return vec4<{{ acc }}>(
{% for i in range(4) %}
{% if clamped %}
        {{ acc }}(b[start + min(first + {{ i }}u, {{ n - 1 }}u)]),
{% else %}
        select({{ acc }}(0.0), {{ acc }}(b[start + min(first + {{ i }}u, {{ n - 1 }}u)]), first + {{ i }}u < {{ n }}u),
{% endif %}
{% endfor %}
    );
{% endif %}
}

// Writes those of four elements of {{ "the sums of part `part`" if splits > 1 else "c" }} that exist.
fn store_c(row: u32, quad: u32, value: vec4<{{ acc }}>{{ plane_argument }}{{ ", part: u32" if splits > 1 }}) {
{% if ragged_m or (ragged_n and wide_b) %}
    if ({{ "row >= " ~ m ~ "u" if ragged_m }}{{ " || " if ragged_m and ragged_n and wide_b }}{{ "quad >= " ~ quads_n ~ "u" if ragged_n and wide_b }}) {
        return;
    }
{% endif %}
{% if wide_b %}
{% if splits > 1 %}
    sums[(part * {{ m }}u + row) * {{ quads_n }}u + quad] = value;
{% else %}
    c[{{ at(m, quads_n) }} + quad] = vec4<{{ out }}>(value);
{% endif %}
{% else %}
    let first = 4u * quad;
    let start = {{ "(part * " ~ m ~ "u + row) * " ~ n ~ "u" if splits > 1 else at(m, n) }} + first;
{% for part in ["x", "y", "z", "w"] %}
    if (first + {{ loop.index0 }}u < {{ n }}u) {
        {{ "sums" if splits > 1 else "c" }}[start + {{ loop.index0 }}u] = {{ acc if splits > 1 else out }}(value.{{ part }});
    }
{% endfor %}
{% endif %}
}
