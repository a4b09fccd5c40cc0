"""Colour PNG files of masks."""

import numpy as np
from labelglot.images import decode_color, decode_gray, encode_color, encode_gray


def test_colours_return_and_grey_is_a_colour() -> None:
    colors = np.array([[0x123456, 0], [0xFFFFFF, 0x00000F], [0xFF0000, 0x00FF00]])
    assert decode_color(encode_color(colors)).tolist() == colors.tolist()
    gray = np.array([[0, 7, 255]])
    assert decode_gray(encode_gray(gray)).tolist() == gray.tolist()
    assert decode_color(encode_gray(gray)).tolist() == [[0, 0x070707, 0xFFFFFF]]
