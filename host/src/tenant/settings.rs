//! What a sender says that only its provider understands: one type of settings a provider. Who wants to know
//! something of a sender asks [`Own`], and need not know whose settings answer.

use serde::{Deserialize, Serialize};

use crate::message::Provider;
use crate::tenant::Secret;

/// What the settings of a provider may say, for whoever asks without knowing the provider.
pub trait Own {
    /// The account above several numbers, which what is about none of them in particular names.
    fn business_account(&self) -> Option<&str> {
        None
    }

    /// Another name that the provider has for the sender's account.
    fn other_account(&self) -> Option<&str> {
        None
    }

    /// The word that every text on this number begins with.
    fn keyword(&self) -> Option<&str> {
        None
    }

    /// What a handshake by GET must bring, where the provider makes one.
    fn handshake(&self) -> Option<&Secret> {
        None
    }

    /// How its webhooks prove themselves, where that is the customer's choice.
    fn proof(&self) -> Proof<'_> {
        Proof::default()
    }

    /// Its secrets, under their names in the configuration.
    fn secrets(&self) -> Vec<(&'static str, &Secret)> {
        Vec::new()
    }

    fn secrets_mut(&mut self) -> Vec<(&'static str, &mut Secret)> {
        Vec::new()
    }
}

/// A way of proving webhooks that the customer chose at the provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proof<'s> {
    /// Must it be said in which header the signature comes?
    pub asks_for_header: bool,
    /// The header that carries the signature.
    pub header: Option<&'s str>,
    pub algorithm: HmacAlgorithm,
    /// The user of Basic authentication.
    pub user: Option<&'s str>,
}

/// What a signature is made with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HmacAlgorithm {
    #[default]
    Sha256,
    Sha512,
}

/// serde asks by reference.
fn is_unset<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Makes of each provider's table a type, and of all of them [`Settings`].
macro_rules! settings {
    ($($provider:ident = $name:literal { $($(#[$about:meta])* $key:ident: $value:ty,)* })*) => {
        $(
            #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
            #[serde(default)]
            pub struct $provider {
                $($(#[$about])* #[serde(skip_serializing_if = "is_unset")] pub $key: $value,)*
            }
        )*

        /// A sender's provider with its settings there: `provider = "infobip"`, and beside it what that has.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "provider")]
        pub enum Settings {
            $(#[serde(rename = $name)] $provider($provider),)*
        }

        impl Settings {
            pub const fn provider(&self) -> Provider {
                match self {
                    $(Settings::$provider(_) => Provider::$provider,)*
                }
            }

            pub fn own(&self) -> &dyn Own {
                match self {
                    $(Settings::$provider(own) => own,)*
                }
            }

            pub fn own_mut(&mut self) -> &mut dyn Own {
                match self {
                    $(Settings::$provider(own) => own,)*
                }
            }

            /// What may be written beside a provider.
            pub const fn keys(provider: Provider) -> &'static [&'static str] {
                match provider {
                    $(Provider::$provider => &[$(stringify!($key),)*],)*
                }
            }
        }
    };
}

settings! {
    Waha = "waha" {}

    Infobip = "infobip" {
        /// The header that carries the signature.
        hmac_header: Option<String>,
        /// What the signature is made with.
        hmac_algorithm: HmacAlgorithm,
        /// The user of Basic authentication, whose password is the webhook key.
        webhook_user: Option<String>,
        /// The word that stands before every text on a number that trial accounts share.
        keyword: Option<String>,
    }

    Gupshup = "gupshup" {
        /// The app's id, beside its name in `account`.
        app_id: Option<String>,
    }

    Meta = "meta" {
        /// What its handshake must bring.
        verify_token: Secret,
        /// The WhatsApp business account that the number and its templates belong to.
        business_account: Option<String>,
        /// The version of its API, such as `v23.0`.
        api_version: Option<String>,
    }

    Dialog360 = "360dialog" {
        /// The WhatsApp business account that the number and its templates belong to.
        business_account: Option<String>,
    }

    Simulator = "simulator" {}
}

/// The providers beside which this may be written.
pub fn providers_with(key: &str) -> impl Iterator<Item = Provider> {
    Provider::ALL.into_iter().filter(move |provider| Settings::keys(*provider).contains(&key))
}

impl Own for Waha {}

impl Own for Infobip {
    fn keyword(&self) -> Option<&str> {
        self.keyword.as_deref()
    }

    fn proof(&self) -> Proof<'_> {
        Proof {
            asks_for_header: true,
            header: self.hmac_header.as_deref(),
            algorithm: self.hmac_algorithm,
            user: self.webhook_user.as_deref(),
        }
    }
}

impl Own for Gupshup {
    fn other_account(&self) -> Option<&str> {
        self.app_id.as_deref()
    }
}

impl Own for Meta {
    fn business_account(&self) -> Option<&str> {
        self.business_account.as_deref()
    }

    fn handshake(&self) -> Option<&Secret> {
        Some(&self.verify_token)
    }

    fn secrets(&self) -> Vec<(&'static str, &Secret)> {
        vec![("verify_token", &self.verify_token)]
    }

    fn secrets_mut(&mut self) -> Vec<(&'static str, &mut Secret)> {
        vec![("verify_token", &mut self.verify_token)]
    }
}

impl Own for Dialog360 {
    fn business_account(&self) -> Option<&str> {
        self.business_account.as_deref()
    }
}

impl Own for Simulator {}
