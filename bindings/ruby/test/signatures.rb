# frozen_string_literal: true

# Prints the public methods that `sig/honker.rbs` lacks or has in excess; test_contract.rb runs it. It is a program of
# its own, because the gem rbs loads Bundler.

require "rbs"
$LOAD_PATH.unshift File.expand_path("../lib", __dir__)
require "honker"

CLASSES = [
  Honker::Database, Honker::Transaction, Honker::Queue, Honker::Job, Honker::Claims, Honker::Listener,
  Honker::Subscription, Honker::Stream, Honker::Scheduler, Honker::Lock, Honker::Outbox, Honker::Stop,
  Honker::UpdateEvents, Honker::Error
].freeze

loader = RBS::EnvironmentLoader.new
loader.add(path: Pathname(__dir__).join("..", "sig"))
builder = RBS::DefinitionBuilder.new(env: RBS::Environment.from_loader(loader).resolve_type_names)
CLASSES.each do |each|
  declared = builder.build_instance(TypeName("::#{each.name}")).methods.select { |_, method| method.public? }.keys
  defined = each.public_instance_methods(false) - %i[inspect]
  existing = each.public_instance_methods + each.private_instance_methods
  (defined - declared).each { |name| puts "#{each}##{name} has no signature" }
  (declared - existing).each { |name| puts "#{each}##{name} does not exist" }
end
