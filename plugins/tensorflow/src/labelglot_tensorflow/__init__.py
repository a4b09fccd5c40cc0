"""TensorFlow Object Detection API: TFRecord and CSV."""
