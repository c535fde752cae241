# frozen_string_literal: true

module Honker
  # A Hash with string keys that can also be read with symbols. Payloads and rows are made of it.
  #
  # It equals the Hash with the same string keys, and matches patterns with symbols (+in {to: String => to}+).
  class IndifferentHash < Hash
    # @param key [String, Symbol, Object]
    # @return [Object, nil] the value of the key
    def [](key)
      super(convert(key))
    end

    # Store a value; a symbol becomes a string key.
    def []=(key, value)
      super(convert(key), value)
    end

    # @return [Object] the value of the key, or the default as of Hash#fetch
    def fetch(key, *default, &block)
      super(convert(key), *default, &block)
    end

    # @return [Object, nil] the value at a path of keys
    def dig(key, *rest)
      super(convert(key), *rest)
    end

    # @return [Boolean] true if the key exists
    def key?(key)
      super(convert(key))
    end
    alias has_key? key?
    alias include? key?
    alias member? key?

    # @return [Array] the values of the keys
    def values_at(*keys)
      super(*keys.map { |each| convert(each) })
    end

    # @return [Array] the values of the keys, each as by {#fetch}
    def fetch_values(*keys, &block)
      super(*keys.map { |each| convert(each) }, &block)
    end

    # @return [IndifferentHash] the entries with these keys
    def slice(*keys)
      self.class.new.merge!(super(*keys.map { |each| convert(each) }))
    end

    # Remove a key.
    #
    # @return [Object, nil] its value
    def delete(key, &block)
      super(convert(key), &block)
    end

    # @return [Hash] for pattern matching: the entries with symbol keys
    def deconstruct_keys(_keys)
      transform_keys { |key| key.is_a?(String) ? key.to_sym : key }
    end

    private

    def convert(key)
      key.is_a?(Symbol) ? key.name : key
    end
  end
end
