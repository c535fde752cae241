# frozen_string_literal: true

require "rails/railtie"

module Honker
  # For Rails: loads the engine into ActiveRecord's connections to SQLite, and creates the tables after initialization.
  class Railtie < Rails::Railtie
    initializer "honker.active_record" do
      require "honker/active_record"
    end

    config.after_initialize do
      ActiveSupport.on_load(:active_record) do
        connection = self.connection
        Honker.bootstrap(connection) if connection.adapter_name == "SQLite"
      end
    end
  end
end
