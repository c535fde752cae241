# frozen_string_literal: true

require "json"
require_relative "indifferent_hash"

module Honker
  # Conversions between Ruby's values and those of SQL.
  #
  # @private
  module Serialization
    # Levels of nested arrays and objects in a payload.
    MAX_NESTING = 500

    class << self
      # @return [String] JSON text
      # @raise [InvalidArgumentError] the value has no JSON form
      def dump(value)
        JSON.generate(value, max_nesting: MAX_NESTING).encode(Encoding::UTF_8)
      rescue JSON::GeneratorError, JSON::NestingError, EncodingError, SystemStackError => e
        raise InvalidArgumentError, "the payload has no JSON form: #{e.message}"
      end

      # @return [Object] the value, with {IndifferentHash} for objects
      # @raise [UnreadablePayloadError] the text is not JSON
      def load(text)
        JSON.parse(text, max_nesting: MAX_NESTING, object_class: IndifferentHash)
      rescue JSON::ParserError, EncodingError => e
        raise UnreadablePayloadError, "the payload is not JSON: #{e.message}"
      end

      # A value as SQLite binds it: text as UTF-8, instants and spans as numbers.
      #
      # @raise [InvalidArgumentError] the value has no such form
      def bind(value)
        case value
        when nil, Integer then value
        when true then 1
        when false then 0
        when String then text(value)
        when Symbol then text(value.name)
        when Float then finite(value)
        else number(value)
        end
      end

      # @return [String] the text of an error, for {Job#retry} and {Job#fail}
      def error_text(error)
        shown = error.is_a?(Exception) ? "#{error.class}: #{error.message}" : error.to_s
        shown = shown.dup.force_encoding(Encoding::UTF_8) if shown.encoding == Encoding::BINARY
        shown.encode(Encoding::UTF_8, invalid: :replace, undef: :replace).scrub
      end

      private

      # The sqlite3 gem binds binary strings as blobs.
      def text(value)
        value = value.dup.force_encoding(Encoding::UTF_8) if value.encoding == Encoding::BINARY
        converted = value.encode(Encoding::UTF_8)
        return converted if converted.valid_encoding?

        raise InvalidArgumentError, "#{value.inspect} is not valid #{value.encoding}"
      rescue EncodingError => e
        raise InvalidArgumentError, "#{value.inspect} is not text: #{e.message}"
      end

      # SQLite stores NaN as NULL, which would mean "none".
      def finite(value)
        return value if value.finite?

        raise InvalidArgumentError, "#{value} is not a number that can be stored"
      end

      # Numeric, Time, DateTime and durations of ActiveSupport.
      def number(value)
        value = value.to_time if !value.is_a?(Numeric) && value.respond_to?(:to_time)
        return finite(value.to_f) if value.respond_to?(:to_f)

        raise InvalidArgumentError, "#{value.inspect} (#{value.class}) is neither text, a number nor a time"
      end
    end
  end
end
