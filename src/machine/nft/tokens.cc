#include "machine/nft/tokens.h"

#include <algorithm>
#include <cctype>

namespace tw::nft {
namespace {

bool is_word_byte(char byte) {
  return std::isalnum(static_cast<unsigned char>(byte)) != 0 ||
         std::string_view{"_.:/@+-"}.find(byte) != std::string_view::npos;
}

}  // namespace

std::vector<Token> tokens_of(std::string_view text) {
  std::vector<Token> tokens;
  int line = 1;
  for (std::size_t at = 0; at < text.size();) {
    const char byte = text[at];
    if (byte == '\n' || byte == ';') {
      tokens.push_back({";", false, line});
      line += byte == '\n' ? 1 : 0;
      ++at;
    } else if (std::isspace(static_cast<unsigned char>(byte)) != 0) {
      ++at;
    } else if (byte == '"') {
      const std::size_t end = std::min(text.find('"', at + 1), text.size());
      tokens.push_back({std::string{text.substr(at + 1, end - at - 1)}, true, line});
      at = end + 1;
    } else if (is_word_byte(byte)) {
      std::size_t end = at;
      while (end < text.size() && is_word_byte(text[end])) ++end;
      tokens.push_back({std::string{text.substr(at, end - at)}, false, line});
      at = end;
    } else {
      const std::string_view pair = text.substr(at, 2);
      const std::size_t size = pair == "==" || pair == "!=" ? 2 : 1;
      tokens.push_back({std::string{text.substr(at, size)}, false, line});
      at += size;
    }
  }
  tokens.push_back({";", false, line});
  return tokens;
}

const Token& Cursor::peek(std::size_t ahead) const {
  static const Token nothing;
  return at_ + ahead < tokens_->size() ? (*tokens_)[at_ + ahead] : nothing;
}

Token Cursor::take() {
  Token token = peek();
  if (at_ < tokens_->size()) ++at_;
  return token;
}

bool Cursor::accept(std::string_view text) {
  if (peek().quoted || peek().text != text) return false;
  ++at_;
  return true;
}

bool Cursor::at_statement_end() const {
  return at_end() || (!peek().quoted && (peek().text == ";" || peek().text == "}"));
}

bool Cursor::follows_separator() const {
  return at_ == 0 || (!(*tokens_)[at_ - 1].quoted && (*tokens_)[at_ - 1].text == ";");
}

void Cursor::skip_separators() {
  while (accept(";")) continue;
}

}  // namespace tw::nft
