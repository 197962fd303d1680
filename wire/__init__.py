"""What goes over the wire: ids, messages, topics, codec, errors and the one consuming MQTT client."""
