{# `load_a`: four elements of a row of the matrix [m, k] in the buffer `left`, and `load_a_one` for the rest of k. The rest of what it
   needs is as in matrix-loads.wgsl. #}
{% set quads_k = ceil_div(k, 4) %}
{% set plane_argument = ", plane: u32" if planes > 1 else "" %}
{% macro at(rows, pitch) %}{{ "plane * " ~ (rows * pitch) ~ "u + " if planes > 1 }}row * {{ pitch }}u{% endmacro %}
// Four elements of row `row` of {{ left }}, from column 4 * `quad`{{ "" if clamped else "; zero outside" }}.
fn load_a(row: u32, quad: u32{{ plane_argument }}) -> vec4<{{ acc }}> {
{% if not clamped and (ragged_m or ragged_k) %}
    if ({{ "row >= " ~ m ~ "u" if ragged_m }}{{ " || " if ragged_m and ragged_k }}{{ "quad >= " ~ quads_k ~ "u" if ragged_k }}) {
        return vec4<{{ acc }}>();
    }
{% endif %}
{% if k % 4 == 0 %}
    return vec4<{{ acc }}>({{ left }}[{{ at(m, quads_k) }} + quad]);
{% else %}
    let start = {{ at(m, k) }};
    let first = 4u * quad;
    return vec4<{{ acc }}>(
{% for i in range(4) %}
{% if clamped %}
        {{ acc }}({{ left }}[start + first + {{ i }}u]),
{% else %}
        select({{ acc }}(0.0), {{ acc }}({{ left }}[start + min(first + {{ i }}u, {{ k - 1 }}u)]), first + {{ i }}u < {{ k }}u),
{% endif %}
{% endfor %}
    );
{% endif %}
}
{% if clamped and k % 4 != 0 %}

// Element `i` of row `row` of {{ left }}, for the rest of k.
fn load_a_one(row: u32, i: u32{{ plane_argument }}) -> {{ acc }} {
    return {{ acc }}({{ left }}[{{ at(m, k) }} + i]);
}
{% endif %}
