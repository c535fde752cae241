#include <honker.hpp>
#include <iostream>

int main() {
    honker::Database db{"app.db"};
    auto emails = db.queue("emails");

    emails.enqueue({{"to", "ann@example.com"}, {"subject", "Hello"}});

    while (auto job = emails.claim_one("worker-1")) {
        std::cout << "sending to " << job->payload()["to"].get<std::string>() << '\n';
        job->ack();
    }
}
