"""What goes over the wire: ids, messages, topics, codec, errors, the consuming MQTT client."""
