{# Bindings of a convolution, read and written as the product of filters [m, k] and the image's patches [k, n], which exist nowhere:
   k counts channel, row and column of a tap, n the pixels of all output images. Functions and needs are as in
   matrix-loads.wgsl; also oh and ow, the extents of an output image, and the axes of the problem. #}
{% set pixels = oh * ow %}
{% set in_row = ow % 4 == 0 %}
{% set wide_y = pixels % 4 == 0 %}
@group(0) @binding(0) var<storage, read> x: array<{{ operand }}>;
@group(0) @binding(1) var<storage, read> w: array<{{ "vec4<" ~ operand ~ ">" if k % 4 == 0 else operand }}>;
@group(0) @binding(2) var<storage, read_write> y: array<{{ "vec4<" ~ out ~ ">" if wide_y else out }}>;
{% set left = "w" %}
{% include "rows-loads.wgsl" %}

// What lies under tap (row r, column s of a filter) of channel `channel` at output row i and column j; 0 on the padding.
fn under(image: u32, channel: u32, r: u32, s: u32, i: u32, j: u32) -> {{ acc }} {
    // Above and left of the image these wrap around to large numbers.
    let top = i * {{ stride }}u + r{{ " - " ~ pad ~ "u" if pad > 0 }};
    let across = j * {{ stride }}u + s{{ " - " ~ pad ~ "u" if pad > 0 }};
    let place = ((image * {{ channels }}u + channel) * {{ height }}u + top) * {{ width }}u + across;
{% if pad > 0 %}
    let inside = top < {{ height }}u && across < {{ width }}u;
    return select({{ acc }}(0.0), {{ acc }}(x[select(0u, place, inside)]), inside);
{% else %}
    return {{ acc }}(x[place]);
{% endif %}
}

// Tap `tap` at four pixels from 4 * `quad` on{{ ", or the last" if clamped else "; zero outside" }}.
fn load_b(tap: u32, quad: u32) -> vec4<{{ acc }}> {
{% if not clamped and ragged_k %}
    if (tap >= {{ k }}u) {
        return vec4<{{ acc }}>();
    }
{% endif %}
    let channel = tap / {{ kernel * kernel }}u;
    let r = tap / {{ kernel }}u % {{ kernel }}u;
    let s = tap % {{ kernel }}u;
{% if in_row %}
    // Four pixels of one row of one image.
    let first = {% if ragged_n %}min(4u * quad, {{ n - 4 }}u){% else %}4u * quad{% endif %};
    let image = first / {{ pixels }}u;
    let i = first / {{ ow }}u % {{ oh }}u;
    let j = first % {{ ow }}u;
    return vec4<{{ acc }}>(
        under(image, channel, r, s, i, j),
        under(image, channel, r, s, i, j + 1u),
        under(image, channel, r, s, i, j + 2u),
        under(image, channel, r, s, i, j + 3u),
    );
{% else %}
{% for lane in range(4) %}
    let pixel{{ lane }} = {% if ragged_n or n % 4 != 0 %}min(4u * quad + {{ lane }}u, {{ n - 1 }}u){% else %}4u * quad + {{ lane }}u{% endif %};
{% endfor %}
    return vec4<{{ acc }}>(
{% for lane in range(4) %}
        under(pixel{{ lane }} / {{ pixels }}u, channel, r, s, pixel{{ lane }} / {{ ow }}u % {{ oh }}u, pixel{{ lane }} % {{ ow }}u),
{% endfor %}
    );
{% endif %}
}

// Writes those of a filter's values at four pixels that exist.
fn store_c(row: u32, quad: u32, value: vec4<{{ acc }}>) {
{% if ragged_m %}
    if (row >= {{ m }}u) {
        return;
    }
{% endif %}
{% if wide_y %}
{% if ragged_n %}
    if (quad >= {{ n // 4 }}u) {
        return;
    }
{% endif %}
    let image = quad / {{ pixels // 4 }}u;
    y[(image * {{ filters }}u + row) * {{ pixels // 4 }}u + quad % {{ pixels // 4 }}u] = vec4<{{ out }}>(value);
{% else %}
{% for part in ["x", "y", "z", "w"] %}
    let pixel{{ loop.index0 }} = 4u * quad + {{ loop.index0 }}u;
    if (pixel{{ loop.index0 }} < {{ n }}u) {
        y[(pixel{{ loop.index0 }} / {{ pixels }}u * {{ filters }}u + row) * {{ pixels }}u + pixel{{ loop.index0 }} % {{ pixels }}u] = {{ out }}(value.{{ part }});
    }
{% endfor %}
{% endif %}
}
