// The words of nftables text: names, numbers and addresses, quoted strings, and punctuation.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tw::nft {

struct Token {
  std::string text;     ///< without its quotes
  bool quoted = false;  ///< a quoted one is a value, whatever it reads
  int line = 0;         ///< from 1
};

/// Statements end with a newline or a ';', both of which are the token ";". There is always one at
/// the end. Comments do not exist: this reads what we write.
std::vector<Token> tokens_of(std::string_view text);

/// A place in a list of tokens, which must outlive it; beyond the end are empty tokens.
class Cursor {
 public:
  explicit Cursor(const std::vector<Token>& tokens) : tokens_(&tokens) {}
  const Token& peek(std::size_t ahead = 0) const;
  Token take();
  /// Takes the next token if it reads so and is not quoted.
  bool accept(std::string_view text);
  bool at_end() const { return at_ >= tokens_->size(); }
  bool at_statement_end() const;
  /// True if a statement begins here.
  bool follows_separator() const;
  void skip_separators();

 private:
  const std::vector<Token>* tokens_;
  std::size_t at_ = 0;
};

}  // namespace tw::nft
