[
  inputs: ["{mix,.formatter,package}.exs", "{lib,test,examples}/**/*.{ex,exs}"],
  line_length: 120
]
