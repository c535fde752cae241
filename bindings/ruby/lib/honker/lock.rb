# frozen_string_literal: true

module Honker
  # A named lock with one owner, which lapses by itself. Get one from {Database#try_lock}.
  class Lock
    # @return [String]
    attr_reader :name
    # @return [String]
    attr_reader :owner
    # @return [Numeric] seconds until the lock lapses
    attr_reader :ttl_s

    def initialize(database, name, owner, ttl_s)
      @db = database
      @name = name
      @owner = owner
      @ttl_s = ttl_s
      @is_acquired = false
      @is_released = false
    end

    # Take the lock, or extend it if this owner holds it.
    #
    # @return [Boolean] true if the owner holds it now
    def acquire
      # Noted while interrupts are held back, so that an interrupted caller can release it.
      @db.one("SELECT honker_lock_acquire(?, ?, ?)", @name, @owner, @ttl_s) do |is_held|
        @is_acquired = is_held == 1
        @is_released = false if @is_acquired
      end
      @is_acquired
    end

    # @return [Boolean] true after a successful {#acquire}, until {#release}; the lock may have lapsed meanwhile
    def acquired?
      @is_acquired
    end

    # Release the lock. Another release has no effect.
    #
    # @return [Boolean] true if this owner had the lock
    def release
      return false if @is_released

      is_held = @db.one("SELECT honker_lock_release(?, ?)", @name, @owner) == 1
      @is_released = true
      @is_acquired = false
      is_held
    end

    # @return [Boolean] true after {#release}
    def released?
      @is_released
    end

    # Set the end of the lock to so many seconds from now.
    #
    # @param ttl_s [Numeric]
    # @return [Boolean] false if the lock has lapsed or another owner holds it
    def heartbeat(ttl_s: @ttl_s)
      @db.one("SELECT honker_lock_renew(?, ?, ?)", @name, @owner, ttl_s) == 1
    end

    # @return [Integer, nil] the fencing token, larger for each new holder; nil if this owner does not hold the lock
    def token(tx: nil)
      @db.one("SELECT honker_lock_token(?, ?)", @name, @owner, tx: tx)
    end

    # @return [Numeric, nil] the instant at which the lock lapses, whoever holds it; nil if it is free
    def held_until
      @db.one("SELECT honker_lock_expires_at(?)", @name)
    end
  end
end
