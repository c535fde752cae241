# frozen_string_literal: true

module Honker
  # Finds and loads the library of the engine.
  module Extension
    # The name of the library on this system.
    FILE = case RUBY_PLATFORM
           when /darwin/ then "libhonker_ext.dylib"
           when /mswin|mingw|cygwin/ then "honker_ext.dll"
           else "libhonker_ext.so"
           end

    # The environment variable that names the library.
    VARIABLE = "HONKER_EXTENSION_PATH"

    @lock = Mutex.new

    class << self
      # The library that this process uses: the path given, else +HONKER_EXTENSION_PATH+, else the file inside the
      # gem, else +target/release+ of a checkout above this file.
      #
      # @param override [String, Pathname, nil] the library
      # @return [String] an absolute path
      # @raise [ExtensionNotFoundError] there is no such file
      def path(override = nil)
        named = override || ENV.fetch(VARIABLE, nil)
        return existing(named.to_s) unless named.nil? || named.to_s.empty?

        candidates.find { |each| File.file?(each) } || raise(
          ExtensionNotFoundError, "#{FILE} was not found: set #{VARIABLE}, or pass extension_path. " \
                                  "Searched: #{candidates.join(', ')}"
        )
      end

      # Load the library into a connection. A second load has no effect.
      #
      # @param connection [SQLite3::Database]
      # @raise [InvalidArgumentError] the process has loaded another library
      # @raise [ExtensionNotFoundError] there is no such file
      def load(connection, path)
        claim(path)
        connection.enable_load_extension(true)
        begin
          connection.load_extension(path)
        ensure
          connection.enable_load_extension(false)
        end
      rescue SQLite3::Exception => e
        raise Errors.from_sqlite(e)
      end

      private

      def existing(path)
        found = File.expand_path(path)
        return found if File.file?(found)

        raise ExtensionNotFoundError, "there is no library #{found}"
      end

      def candidates
        folder = __dir__
        above = folder.split(File::SEPARATOR).size.times.map do |count|
          File.expand_path(File.join(folder, *[".."] * count, "target", "release", FILE))
        end
        [File.join(folder, FILE), *above.uniq]
      end

      # Two copies of the library in one process would watch the same files twice.
      def claim(path)
        real = File.realpath(path)
        @lock.synchronize do
          @loaded ||= real
          return if @loaded == real
        end
        raise InvalidArgumentError, "this process has loaded #{@loaded}; it cannot load #{real} as well"
      end
    end
  end
end
