# frozen_string_literal: true

require_relative "test_helper"
require "open3"
require "yaml"

# Keeps the gem and its signatures in step with each other and with reference.yaml.
class TestContract < Minitest::Test
  ROOT = File.expand_path("..", __dir__)

  def test_every_code_of_the_reference_has_a_class
    reference = File.expand_path("../../reference.yaml", ROOT)
    skip "there is no reference.yaml above the gem" unless File.file?(reference)
    codes = YAML.safe_load(File.read(reference)).fetch("errors")
    codes.each do |code, entry|
      next if code == "HONKER_SQLITE"

      kind = Honker::Errors::BY_CODE[code]
      refute_nil kind, code
      assert_equal entry.fetch("retryable"), kind.retryable?, code
    end
  end

  def test_an_unknown_code_is_kept
    error = Honker::Errors.from_sqlite(SQLite3::SQLException.new("HONKER_FUTURE: later"))
    assert_instance_of Honker::Error, error
    assert_equal ["HONKER_FUTURE", "HONKER_FUTURE: later"], [error.code, error.message]
  end

  def test_the_signatures_name_every_public_method
    output, status = Open3.capture2e(RbConfig.ruby, File.join(ROOT, "test", "signatures.rb"))
    skip "the gem rbs is not installed" if output.include?("cannot load such file -- rbs")
    assert_predicate status, :success?, output
    assert_empty output
  end
end
