# frozen_string_literal: true

module Honker
  # Keeps Thread#raise, Thread#kill and Timeout out of a few statements.
  #
  # @private
  module Interrupts
    # +Object+ and not +Exception+: a kill is no exception.
    NEVER = { Object => :never }.freeze
    private_constant :NEVER

    # Run the block with interrupts held back. They are raised when it ends.
    def self.hold(&block)
      Thread.handle_interrupt(NEVER, &block)
    end
  end
end
